ALTER TABLE loans ADD COLUMN reminded_at timestamptz;
