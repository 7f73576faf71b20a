-- What the sample dump of the viewer holds: a shop, small enough to be read whole. What follows the line
-- of dashes is in the log alone.
create database shop;
create table shop.customers (id bigint unsigned not null, name string not null, city string, joined date) comment = 'Who buys';
create table shop.orders (id bigint unsigned not null, customer bigint unsigned, total decimal(12, 2), placed timestamp default now()) cluster by (placed);
create table shop.cart (session string, item string) comment = 'What is not bought yet';
insert into shop.customers values (1, 'Ada', 'London', '2024-03-01'), (2, 'Grace', 'New York', '2024-05-17');
insert into shop.orders (id, customer, total) values (1, 1, 9.90), (2, 2, 12.50);
create view shop.turnover as select customer, sum(total) as total from shop.orders group by customer;
create database staging;
create table staging.import_2026 (line string);
create role reporting;
create user ada identified by 'a-sample-1' with default_role = 'reporting';
create user nightly identified with sha256_password by 'a-sample-2';
grant select on shop.* to role reporting;
grant role reporting to ada;
create stage arrivals url = 's3://sample-bucket/arrivals/' connection = (region = 'eu-central-1' access_key_id = 'SAMPLE-KEY-ID' secret_access_key = 'a-sample-secret');
create function vat as (price) -> price * 0.19;
create sequence order_number;
---
alter table shop.customers add column email string;
insert into shop.orders (id, customer, total) values (3, 1, 27.00);
alter table shop.cart rename to baskets;
drop table staging.import_2026;
create table staging.import_2027 (line string, number int);
set global max_threads = 8;
alter user nightly identified by 'a-sample-3';
drop table shop.orders;
