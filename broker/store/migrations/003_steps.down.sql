ALTER TABLE attempt DROP COLUMN steps_json;
