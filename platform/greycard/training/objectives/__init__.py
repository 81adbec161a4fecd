"""What models minimise: the contract, and one module per objective."""
