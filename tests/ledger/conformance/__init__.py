"""Cases by which other ledgers test themselves, told anew about ours; one file for each place an idea comes from."""
