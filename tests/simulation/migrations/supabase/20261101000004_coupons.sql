INSERT INTO effects.applied VALUES ('4', 'begin');
CREATE TABLE public.coupons (id int PRIMARY KEY);
INSERT INTO effects.applied VALUES ('4', 'end');
