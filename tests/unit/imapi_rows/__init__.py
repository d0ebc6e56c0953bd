"""One test for each row of IMAPI's lifecycle, with its number; docs/imapi.md leads from a row to its code and test."""
