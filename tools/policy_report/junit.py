"""JUnit XML: each rule is a test case, which every CI server can show."""

from xml.etree import ElementTree as Xml

from tools.policy_report.judgement import Judgement, RuleWords, Severity

_NOT_IN_XML = dict.fromkeys(one for one in range(32) if chr(one) not in "\t\n\r")


def junit(judgement: Judgement) -> str:
    """Return the document; what is advisory stands in the output of a case that passes."""
    failed = {one.rule for one in judgement.violations if one.severity is Severity.MANDATORY}
    suite = Xml.Element(
        "testsuite",
        name="synapse-policy",
        tests=str(len(judgement.rules)),
        failures=str(len(failed)),
        errors="0",
        skipped="0",
    )
    for rule in judgement.rules:
        suite.append(_case(rule, judgement))
    suites = Xml.Element("testsuites", name="synapse-policy")
    suites.append(suite)
    Xml.indent(suites)
    return Xml.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _case(rule: RuleWords, judgement: Judgement) -> Xml.Element:
    case = Xml.Element("testcase", classname="synapse-policy", name=rule.name)
    for severity, element in ((Severity.MANDATORY, "failure"), (Severity.ADVISORY, "system-out")):
        messages = [
            f"{one.subject}: {one.message}"
            for one in judgement.of_rule(rule.name)
            if one.severity is severity
        ]
        if messages:
            found = Xml.SubElement(case, element)
            found.text = "\n\n".join([*messages, rule.reason, rule.cure]).translate(_NOT_IN_XML)
            if severity is Severity.MANDATORY:
                found.set("message", rule.description)
                found.set("type", severity.value)
    return case
