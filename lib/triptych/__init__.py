"""Triptych: three AI-systems papers as live notebooks over a thin library.

The floors, lowest first: `paths`, `errors`, `data`, `llm`; the workbench (`stages`, `keys`, `record`, `figures`,
`tables`, `notebook`, `execute`, `report`); the studies `legal_rag`, `bitsys`, `ft_dojo`. A module imports only from
floors below its own and the studies never import one another (`pyproject.toml`, section importlinter).
"""
