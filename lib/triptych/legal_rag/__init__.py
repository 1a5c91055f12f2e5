"""Legal RAG Bench (arXiv 2603.01710): how much of a legal RAG system's quality is the retriever.

Read in this order: `corpus` (articles, and what is wrong with the file they come in), `chunk` (articles → passages),
`questions` and `validate` (our own question set, and what makes an item unfit), `embed` and `retrieve` (the retrieval
arms), `score` (when is a question answered by what was found), `benchmark` (corpus, passages and questions together:
ours, or the paper's own data set).

Importing this package imports nothing heavy; torch, chromadb and llama-index load with `embed` and `retrieve`.
"""
