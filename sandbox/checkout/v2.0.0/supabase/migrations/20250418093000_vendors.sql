create table public.vendors (
  id uuid primary key default gen_random_uuid(),
  owner_id uuid references public.users (id) on delete set null,
  name text not null,
  category text not null,
  phone text not null,
  district text not null,
  latitude double precision not null check (latitude between -90 and 90),
  longitude double precision not null check (longitude between -180 and 180),
  rating numeric(2, 1) not null default 4.0 check (rating between 0 and 5),
  is_open boolean not null default true,
  created_at timestamptz not null default now()
);

create index vendors_category_open_idx on public.vendors (category, rating desc) where is_open;

create table public.products (
  id uuid primary key default gen_random_uuid(),
  vendor_id uuid not null references public.vendors (id) on delete cascade,
  name text not null,
  unit text not null default 'kg',
  price_rwf bigint not null check (price_rwf > 0),
  in_stock boolean not null default true
);

create index products_vendor_id_idx on public.products (vendor_id);

/* Vendors that sell what the text asks for; the best rated first. */
create function public.search_vendors(query text, at_most integer default 5)
returns setof public.vendors
language sql
stable
as $fn$
  select v.*
  from public.vendors v
  where v.is_open
    and (query ilike '%' || v.category || '%' or query ilike '%' || v.name || '%')
  order by v.rating desc, v.id
  limit at_most;
$fn$;

alter table public.vendors enable row level security;
alter table public.products enable row level security;

create policy "open vendors are public" on public.vendors for select using (is_open);
create policy "products are public" on public.products for select using (true);
