"""LOINC codes and OMOP concepts of lymphocytes, leukocytes and lymphocyte percent, and OMOP's units.

Here: the tables. Not here: spellings of units (`transforms.counts.units`). Called by the readers, the writers
and `transforms.counts.results`. OMOP concepts are those of the OHDSI standardised vocabularies.
"""

LYMPHOCYTES, LEUKOCYTES, LYMPHOCYTE_PERCENT = "lymphocytes", "leukocytes", "lymphocyte_percent"

# By automated count, method not said, by manual count.
LYMPHOCYTE_CODES = ("731-0", "26474-7", "732-8")
LEUKOCYTE_CODES = ("6690-2", "26464-8", "804-5")
PERCENT_CODES = ("736-9", "26478-8", "737-7")

KIND_OF_CODE = (
    dict.fromkeys(LYMPHOCYTE_CODES, LYMPHOCYTES)
    | dict.fromkeys(LEUKOCYTE_CODES, LEUKOCYTES)
    | dict.fromkeys(PERCENT_CODES, LYMPHOCYTE_PERCENT)
)

DISPLAY_OF_CODE = {
    "731-0": "Lymphocytes [#/volume] in Blood by Automated count",
    "26474-7": "Lymphocytes [#/volume] in Blood",
    "732-8": "Lymphocytes [#/volume] in Blood by Manual count",
    "6690-2": "Leukocytes [#/volume] in Blood by Automated count",
    "26464-8": "Leukocytes [#/volume] in Blood",
    "804-5": "Leukocytes [#/volume] in Blood by Manual count",
    "736-9": "Lymphocytes/Leukocytes in Blood by Automated count",
    "26478-8": "Lymphocytes/Leukocytes in Blood",
    "737-7": "Lymphocytes/Leukocytes in Blood by Manual count",
}

CODE_OF_CONCEPT = {
    3004327: "731-0",
    3019198: "26474-7",
    3003215: "732-8",
    3000905: "6690-2",
    3010813: "26464-8",
    3003282: "804-5",
    3037511: "736-9",
    3002030: "26478-8",
    3038058: "737-7",
}

# UCUM codes of the unit concepts that a count of cells, or a percentage, is given in. The two with K are
# named after kelvin and retired, and still stand in tables whose laboratory wrote K for thousand.
UNIT_OF_CONCEPT = {
    8647: "/uL",
    8784: "{cells}/uL",
    8785: "/mm3",
    8888: "{cells}/mm3",
    8848: "10*3/uL",
    8961: "10*3/mm3",
    8792: "K/uL",
    8903: "K/mm3",
    9444: "10*9/L",
    44777588: "10*9/L",
    9442: "10*6/L",
    44777586: "10*6/L",
    8816: "10*6/mL",
    9436: "10*3/mL",
    8554: "%",
    9229: "%",
}

COMPARATOR_OF_CONCEPT = {
    4171756: "<",
    4171754: "<=",
    4172704: ">",
    4171755: ">=",
}
EQUALS_CONCEPT = 4172703
