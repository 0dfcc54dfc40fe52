-- Run with client-side binding, so a percent sign of SQL is written twice.
-- Ids, phones and prices follow supabase.sql: the same number is the same person or vendor.
create function pg_temp.stable_id(kind text, n bigint) returns uuid language sql immutable
as $$ select md5(kind || n)::uuid $$;
create function pg_temp.moment(n bigint) returns timestamptz language sql immutable
as $$ select timestamptz '2025-11-10 18:00:00+00' - make_interval(secs => n * 37 %% 15552000) $$;

-- Balances are what the ledger's entries add up to, written last.
insert into wallets (id, phone, balance_rwf, created_at, updated_at)
select pg_temp.stable_id('wallet', n), '2507' || lpad((20000000 + n * 7)::text, 8, '0'),
  500000 + n * 250 %% 90000, pg_temp.moment(n), pg_temp.moment(n)
from generate_series(1, %(users)s) n;

insert into wallets (id, phone, balance_rwf, created_at, updated_at)
values (pg_temp.stable_id('wallet', 0), %(internal_number)s, %(internal_balance_rwf)s,
  pg_temp.moment(0), pg_temp.moment(0));

insert into ledger_entries (wallet_id, amount_rwf, balance_after_rwf, created_at)
select id, balance_rwf, balance_rwf, created_at from wallets order by created_at, id;

create temporary table new_order on commit drop as
select n, pg_temp.stable_id('order', n) as id, 1 + n * 13 %% %(users)s as who,
  1 + n %% 3 as quantity, 200 + n * 50 %% 4800 as price,
  (array['fulfilled', 'fulfilled', 'paid', 'fulfilled', 'cancelled', 'pending'])[1 + n %% 6] as status,
  pg_temp.moment(n) as at
from generate_series(1, %(orders)s) n;

insert into orders (id, phone, vendor_id, status, total_rwf, created_at, paid_at)
select id, '2507' || lpad((20000000 + who * 7)::text, 8, '0'), pg_temp.stable_id('vendor', 1 + n %% %(vendors)s),
  status, quantity * price, at, case when status in ('paid', 'fulfilled') then at + interval '90 seconds' end
from new_order;

insert into order_items (id, order_id, product, quantity, unit_price_rwf)
select pg_temp.stable_id('item', n), id,
  (array['tomatoes', 'carrots', 'cassava leaves', 'plantain', 'beans', 'rice', 'milk', 'bread'])[1 + n %% 8],
  quantity, price
from new_order;

insert into payments (id, order_id, wallet_id, amount_rwf, created_at)
select pg_temp.stable_id('payment', n), id, pg_temp.stable_id('wallet', who), quantity * price,
  at + interval '90 seconds'
from new_order where status in ('paid', 'fulfilled');

insert into ledger_entries (wallet_id, payment_id, amount_rwf, balance_after_rwf, created_at)
select p.wallet_id, p.id, -p.amount_rwf,
  w.balance_rwf - sum(p.amount_rwf) over (partition by p.wallet_id order by p.created_at, p.id), p.created_at
from payments p join wallets w on w.id = p.wallet_id
order by p.created_at, p.id;

update wallets w
set balance_rwf = w.balance_rwf - spent.amount, updated_at = spent.last_at
from (select wallet_id, sum(amount_rwf) as amount, max(created_at) as last_at from payments group by 1) spent
where spent.wallet_id = w.id;

analyze;
