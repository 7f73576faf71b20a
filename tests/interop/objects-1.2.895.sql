-- What only engines since 1.2.895 understand, or let the embedded user do, after objects.sql.

grant ownership on library.scratch_2 to role librarian;
create tag colour allowed_values = ('red', 'blue');
create tag gone_tag;
drop tag gone_tag;
