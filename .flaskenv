# What the `flask` command is told for everybody: `flask routes` lists the addresses in their own order.
FLASK_ROUTES_SORT=rule
