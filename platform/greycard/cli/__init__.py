"""The ``greycard`` command: coding files, submitting jobs and looking at the machine."""
