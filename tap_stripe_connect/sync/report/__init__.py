"""What people see of a run: progress, summary and failures."""
