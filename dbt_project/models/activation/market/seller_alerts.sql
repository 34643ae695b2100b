{# Alerts on sellers and their assortment. #}
{{ recent_alerts('seller') }}
