-- By an operator: gets no new runs until it is resumed, across restarts of it and of the broker.
ALTER TABLE worker ADD COLUMN drained INTEGER NOT NULL DEFAULT 0 CHECK (drained IN (0, 1));
