"""From what users write to items, each with its trial: what is collected, selected and listed."""
