"""Sources beside the click stream: the contracts their rows are brought to."""
