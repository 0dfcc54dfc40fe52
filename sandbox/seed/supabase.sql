-- Run with client-side binding, so a percent sign of SQL is written twice.
-- Every value is a function of the row's number: the same database every time.
create function pg_temp.stable_id(kind text, n bigint) returns uuid language sql immutable
as $$ select md5(kind || n)::uuid $$;
create function pg_temp.district(n bigint) returns text language sql immutable
as $$ select (array['Gasabo', 'Kicukiro', 'Nyarugenge', 'Musanze', 'Huye', 'Rubavu', 'Rwamagana'])[1 + n %% 7] $$;
create function pg_temp.moment(n bigint) returns timestamptz language sql immutable
as $$ select timestamptz '2025-11-10 18:00:00+00' - make_interval(secs => n * 37 %% 15552000) $$;

insert into public.users (id, phone, display_name, language, is_internal, created_at, updated_at)
select pg_temp.stable_id('user', n), '2507' || lpad((20000000 + n * 7)::text, 8, '0'),
  (array['Aline', 'Eric', 'Chantal', 'Jean', 'Diane', 'Patrick', 'Claudine', 'Olivier'])[1 + n %% 8] || ' ' ||
  (array['Uwase', 'Mugisha', 'Ingabire', 'Habimana', 'Mukamana', 'Niyonzima', 'Umutoni'])[1 + n %% 7],
  (array['rw', 'rw', 'rw', 'en', 'fr', 'sw'])[1 + n %% 6], false, pg_temp.moment(n), pg_temp.moment(n)
from generate_series(1, %(users)s) n;

insert into public.users (id, phone, display_name, language, is_internal, created_at, updated_at)
values (pg_temp.stable_id('user', 0), %(internal_number)s, 'Internal tester', 'en', true,
  pg_temp.moment(0), pg_temp.moment(0));

insert into public.vendors
  (id, owner_id, name, category, phone, district, latitude, longitude, rating, is_open, created_at)
select pg_temp.stable_id('vendor', n), pg_temp.stable_id('user', 1 + n %% %(users)s),
  (array['Kimironko', 'Nyabugogo', 'Kimisagara', 'Remera', 'Gikondo', 'Zinia'])[1 + n %% 6] || ' ' ||
  (array['Fresh', 'Express', 'Corner', 'Family', 'Market'])[1 + n %% 5] || ' ' || n,
  (array['vegetables', 'fruits', 'groceries', 'pharmacy', 'restaurant', 'hardware', 'bakery'])[1 + n %% 7],
  '2507' || lpad((30000000 + n * 11)::text, 8, '0'), pg_temp.district(n),
  -1.94 + (n * 31 %% 1000) / 10000.0, 30.06 + (n * 17 %% 1000) / 10000.0,
  3 + (n * 13 %% 20) / 10.0, n %% 9 <> 0, pg_temp.moment(n)
from generate_series(1, %(vendors)s) n;

insert into public.vendors
  (id, owner_id, name, category, phone, district, latitude, longitude, rating, created_at)
values (%(test_vendor_id)s, pg_temp.stable_id('user', 0), 'Test orders only', 'vegetables', %(internal_number)s,
  'Gasabo', -1.944, 30.062, 1.0, pg_temp.moment(0));

insert into public.products (id, vendor_id, name, unit, price_rwf, in_stock)
select pg_temp.stable_id('product', n), pg_temp.stable_id('vendor', 1 + n %% %(vendors)s),
  (array['tomatoes', 'carrots', 'cassava leaves', 'plantain', 'beans', 'rice', 'milk', 'bread'])[1 + n %% 8],
  (array['kg', 'kg', 'bunch', 'piece'])[1 + n %% 4], 200 + n * 50 %% 4800, n %% 11 <> 0
from generate_series(1, %(vendors)s * 5) n;

insert into public.products (id, vendor_id, name, unit, price_rwf)
values (pg_temp.stable_id('product', 0), %(test_vendor_id)s, 'test tomatoes', 'kg', %(test_price_rwf)s);

insert into public.stations (id, name, district, latitude, longitude)
select pg_temp.stable_id('station', n), 'Station ' || pg_temp.district(n) || ' ' || n, pg_temp.district(n),
  -1.94 + (n * 7 %% 1000) / 10000.0, 30.06 + (n * 13 %% 1000) / 10000.0
from generate_series(1, 60) n;

insert into public.drivers (id, user_id, vehicle, plate, district, is_online, rating)
select pg_temp.stable_id('driver', n), pg_temp.stable_id('user', n),
  (array['moto', 'moto', 'cab', 'truck'])[1 + n %% 4], 'R' || chr(65 + (n %% 26)::int) || 'A ' || lpad(n::text, 5, '0'),
  pg_temp.district(n), n %% 3 = 0, 3 + (n * 7 %% 20) / 10.0
from generate_series(1, %(users)s / 8) n;

insert into public.properties (id, owner_id, title, district, bedrooms, monthly_rent_rwf, listed_at)
select pg_temp.stable_id('property', n), pg_temp.stable_id('user', 1 + n * 3 %% %(users)s),
  (1 + n %% 4) || ' bedrooms in ' || pg_temp.district(n), pg_temp.district(n), 1 + n %% 4,
  (80 + n * 7 %% 900) * 1000, pg_temp.moment(n * 11)
from generate_series(1, %(users)s / 20 + 5) n;

insert into public.whatsapp_messages (message_id, phone, direction, body, payload, created_at)
select 'wamid.' || upper(md5('message' || n)), phone, direction, body,
  jsonb_build_object(
    'messaging_product', 'whatsapp',
    'metadata', jsonb_build_object('display_phone_number', '250788000000', 'phone_number_id', '106540352242922'),
    direction, jsonb_build_object('type', 'text', 'timestamp', extract(epoch from pg_temp.moment(n))::bigint,
      'text', jsonb_build_object('body', body), 'trace', md5('trace' || n))),
  pg_temp.moment(n)
from (
  select n, '2507' || lpad((20000000 + (1 + n * 13 %% %(users)s) * 7)::text, 8, '0') as phone,
    case when n %% 2 = 0 then 'out' else 'in' end as direction,
    (array['I need vegetables', 'MENU', 'moto to Remera', 'house with 2 bedrooms in Gasabo', 'balance',
      'where is my order?', 'pharmacy near me', 'diesel station'])[1 + n %% 8] as body
  from generate_series(1, %(messages)s) n
) message;

analyze;
