"""Every setting of Offhook."""
