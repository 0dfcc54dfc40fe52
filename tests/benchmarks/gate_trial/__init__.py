"""Gates tried on generated releases, of which it is known whether they are worse."""
