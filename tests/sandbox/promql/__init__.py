"""Questions to PromQL (cases.py), a real Prometheus' answers (*.json), and what records them (record.py)."""
