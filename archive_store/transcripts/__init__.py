"""Certified transcripts (成绩单): asked for by whoever reads the grades, signed, checked by anyone who holds the paper.

Policy 引言 (what families may see) and §三(二): a transcript is as sensitive as the grades it tells.
"""
