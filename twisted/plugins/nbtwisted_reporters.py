"""What `trial --reporter=...` can be told besides Twisted's own."""

from twisted.plugins.twisted_trial import _Reporter

fail_on_stall = _Reporter(
    "Stall Reporter",
    "nbtwisted.testing.stalls.reporter",
    description="fails tests that block the reactor (nbtwisted)",
    longOpt="fail-on-stall",
    shortOpt=None,
    klass="StallReporterForTrial",
)
