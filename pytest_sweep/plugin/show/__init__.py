"""What people see while a run goes on, and where they step in."""
