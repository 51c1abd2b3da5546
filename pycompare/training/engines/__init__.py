"""Who trains: each engine gives the same bits."""
