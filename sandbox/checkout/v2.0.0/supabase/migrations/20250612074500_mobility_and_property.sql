create table public.stations (
  id uuid primary key default gen_random_uuid(),
  name text not null unique,
  district text not null,
  latitude double precision not null,
  longitude double precision not null,
  fuels text[] not null default '{petrol,diesel}'
);

create table public.drivers (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null unique references public.users (id) on delete cascade,
  vehicle text not null check (vehicle in ('moto', 'cab', 'truck')),
  plate text not null unique,
  district text not null,
  is_online boolean not null default false,
  rating numeric(2, 1) not null default 4.0
);

create index drivers_online_idx on public.drivers (district, vehicle) where is_online;

create table public.properties (
  id uuid primary key default gen_random_uuid(),
  owner_id uuid references public.users (id) on delete set null,
  title text not null,
  district text not null,
  bedrooms smallint not null check (bedrooms > 0),
  monthly_rent_rwf bigint not null check (monthly_rent_rwf > 0),
  listed_at timestamptz not null default now()
);

create index properties_district_rent_idx on public.properties (district, monthly_rent_rwf);

alter table public.stations enable row level security;
alter table public.drivers enable row level security;
alter table public.properties enable row level security;

create policy "stations are public" on public.stations for select using (true);
create policy "drivers on the road are public" on public.drivers for select using (is_online);
create policy "properties are public" on public.properties for select using (true);
