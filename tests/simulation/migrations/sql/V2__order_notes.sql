INSERT INTO effects.applied VALUES ('2', 'begin');
ALTER TABLE shop.orders ADD COLUMN note text;
INSERT INTO effects.applied VALUES ('2', 'end');
