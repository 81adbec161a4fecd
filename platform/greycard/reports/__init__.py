"""Reports from tables and files alone: figures, contact sheets and a self-contained HTML page. No torch, no ray."""
