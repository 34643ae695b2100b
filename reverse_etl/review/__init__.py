"""What people see of rows and plans, and what they decide: explain, preview, parity, approvals, undo, mappings."""
