"""Who may do what: accounts with roles, their sessions and tokens, and how they sign in."""
