"""What is remembered between runs, in the schema `reverse_etl`: ledger, operations, stored plans, leases.

Also the contract of a destination, whose words those tables hold. Decides nothing: rooms above do.
"""
