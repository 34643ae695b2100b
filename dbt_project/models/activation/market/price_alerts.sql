{# Alerts on prices. #}
{{ recent_alerts('price') }}
