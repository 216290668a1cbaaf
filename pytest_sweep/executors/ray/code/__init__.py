"""What a node can see of the driver's code, what is shipped to it, and how."""
