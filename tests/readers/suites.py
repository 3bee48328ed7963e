"""The test suites that junitparser finds in a file, as JSON: name -> [tests, failures, skipped]."""

import json
import sys

from junitparser import JUnitXml

xml = JUnitXml.fromfile(sys.argv[1])
json.dump({suite.name: [suite.tests, suite.failures, suite.skipped] for suite in xml}, sys.stdout)
