// Without this script the tables are complete; with it, their headers sort.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const key = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const number = Number.parseFloat(text);
    return { text, number };
  };
  const compare = (a, b, sign) => {
    const [first, second] = [Number.isNaN(a.number), Number.isNaN(b.number)];
    if (!first && !second) return sign * (a.number - b.number);
    if (first !== second) return first ? 1 : -1; // what is not defined stays last
    return sign * a.text.localeCompare(b.text);
  };
  const headers = table.tHead.querySelectorAll("[data-column]");
  headers.forEach((header) => {
    const column = Number(header.dataset.column);
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Sort by this column";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const sign = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of headers) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      [...body.rows]
        .sort((a, b) => compare(key(a, column), key(b, column), sign))
        .forEach((row) => body.append(row));
    });
  });
}
