-- An answer is given again to the same command only. The client's column begins with its owner (answered_requests.h).
ALTER TABLE request ADD COLUMN verb TEXT NOT NULL DEFAULT '';
