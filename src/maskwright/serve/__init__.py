"""The server: REST and gRPC over one engine that batches what many clients ask. Thin; no rule about masks lives here.

`values.py` says what is asked, `service.py` what answers it, `problems.py` what goes wrong; `routes/` is REST.
"""
