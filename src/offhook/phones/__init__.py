"""A software telephone: SIP by `offhook.sip`, RTP and RTCP, sound made and sound judged."""
