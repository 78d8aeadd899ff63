"""The code that the lab chapters share; import the modules, nothing is re-exported here."""
