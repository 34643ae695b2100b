"""From the warehouse alone to a plan: what must change, what is held, what it costs. Sends nothing."""
