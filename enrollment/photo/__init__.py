"""Reading untrusted photo files as upright sRGB pixels."""
