{# Alerts on stock. #}
{{ recent_alerts('stock') }}
