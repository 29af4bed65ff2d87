"""The redemption library beside a plain model of it: what a random story makes of vouchers, points and money, twice."""
