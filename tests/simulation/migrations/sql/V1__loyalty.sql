INSERT INTO effects.applied VALUES ('1', 'begin');
CREATE TABLE public.loyalty (id int PRIMARY KEY, points int NOT NULL);
INSERT INTO effects.applied VALUES ('1', 'end');
