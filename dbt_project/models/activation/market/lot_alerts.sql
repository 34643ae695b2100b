{# Alerts on lots. #}
{{ recent_alerts('lot') }}
