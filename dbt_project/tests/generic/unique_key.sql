{# Not null and unique, looked at where the running build has touched rows, so that the cost of the test depends
   on the build; everything is looked at when the ledger is empty, as after a full refresh. #}
{% test unique_key(model, column_name, ledger, ledger_column=none) %}
{%- set key = ledger_column or column_name %}
select {{ column_name }}
from {{ model }}
where (select count(*) from {{ ledger }}) = 0
    or {{ key }} in (select {{ key }} from {{ ledger }})
    or {{ column_name }} is null
group by {{ column_name }}
having count(*) > 1 or {{ column_name }} is null
{% endtest %}
