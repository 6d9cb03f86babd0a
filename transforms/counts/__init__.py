"""Blood counts from the systems that hospitals have to lymphocyte counts in cells/uL, and what is missing.

The readers (`fhir`, `omop`) give laboratory results, which become counts. Not here: files (`flows`).
"""
