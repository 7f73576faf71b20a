-- What an engine is told to make before its meta data is compared with what it says of itself: objects
-- of every kind that needs no licence, with plain names and difficult ones, living, changed and dropped.
-- A statement ends with a semicolon at the end of a line.

-- Databases
create database library;
create database "Größe 大小 %";
create database short_lived;
create table short_lived.lost (a int);
drop database short_lived;
create database back_again;
create table back_again.kept (a int);
drop database back_again;
undrop database back_again;
create database working_title;
create table working_title.page (a int);
alter database working_title rename to final_title;

-- Tables of many types
create table library.book (
    id bigint unsigned not null, title string not null comment 'Titel 題', price decimal(12, 2),
    printed date, added timestamp default now(), tags array(string), shelf map(string, int),
    size tuple(width int, height int), extra variant, lent boolean default false, cover binary
) comment = 'What stands on the shelves';
insert into library.book (id, title, price) values (1, 'Faust', 9.90), (2, '紅樓夢', 12.50);
insert into library.book (id, title, printed) values (3, 'Mrs Dalloway', '1925-05-14');
create table library.loan (book bigint unsigned, reader string, due date) cluster by (due);
insert into library.loan select number, to_string(number % 7), '2026-01-01' from numbers(500);
create table library.loan_copy like library.loan;
create table library.overdue as select * from library.loan where book > 400;
create transient table library.scratch (a int);
create table library.in_memory (a int) engine = memory;
create table library.nowhere (a int) engine = null;
create table library.invented (a int, b string) engine = random;
create table library."with space, ünï % and 'quotes'" (a int);
create table "Größe 大小 %".t (a int);

-- Tables that were changed
alter table library.book add column publisher string;
alter table library.book rename column publisher to house;
alter table library.scratch rename to scratch_2;
create or replace table library.overdue (z int);
truncate table library.loan_copy;

-- Tables that were dropped, also twice under one name, and one that came back
create table library.gone (a int);
insert into library.gone values (1);
drop table library.gone;
create table library.gone (b string);
drop table library.gone;
create table library.returned (a int);
drop table library.returned;
undrop table library.returned;
create table library.replaced (a int);
drop table library.replaced;
create table library.replaced (a int, b int);

-- Views
create view library.title as select id, title from library.book;
create view library."sorted by size ü" as select size from library.book order by size;
create view library.old_view as select 1 as one;
drop view library.old_view;

-- Roles, users, grants
create role librarian;
create role "Lehrling ü";
create role short_role;
drop role short_role;
create user anna identified by 'not-a-secret-1';
create user ben identified with sha256_password by 'not-a-secret-2' with default_role = 'librarian';
create user 'chloé' identified with no_password;
create user gone_user identified by 'not-a-secret-3';
drop user gone_user;
grant role librarian to ben;
grant role librarian to role "Lehrling ü";
grant select on library.* to role librarian;
grant insert on library.book to anna;
grant select on final_title.* to anna;
revoke insert on library.book from anna;

-- Stages, connections, file formats
create stage returns;
create stage csv_files file_format = (type = csv, field_delimiter = ';') comment = 'Rückgabe';
create stage bucket url = 's3://not-a-bucket/path/' connection = (
    endpoint_url = 'http://127.0.0.1:1', access_key_id = 'not-a-key', secret_access_key = 'not-a-secret'
);
create stage gone_stage;
drop stage gone_stage;
create connection depot storage_type = 's3' access_key_id = 'not-a-key' secret_access_key = 'not-a-secret';
create connection gone_depot storage_type = 's3' access_key_id = 'not-a-key' secret_access_key = 'not-a-secret';
drop connection gone_depot;
create file format semicolons type = csv field_delimiter = ';';
create file format gone_format type = tsv;
drop file format gone_format;

-- Functions, procedures, sequences, dictionaries
create function with_tax as (price) -> price * 1.07;
create function full_title as (a, b) -> concat(a, ': ', b) desc = 'Titel';
create function gone_function as (a) -> a;
drop function gone_function;
create procedure shelve(x int) returns int not null language sql as $$ begin return x + 1; end; $$;
create procedure shelve() returns int not null language sql as $$ begin return 1; end; $$;
create sequence ticket;
create sequence gone_ticket;
drop sequence gone_ticket;
create table library.numbered (a int, n int default nextval(ticket));
insert into library.numbered (a) values (1), (2);
create dictionary library.capital (country string, capital string) primary key country
    source(mysql(host='127.0.0.1' port='1' username='nobody' password='not-a-secret' db='d' table='t'));

-- Policies and settings
create network policy inside allowed_ip_list = ('127.0.0.0/8') comment = 'loopback';
create password policy long_ones password_min_length = 12;
set global max_threads = 3;
