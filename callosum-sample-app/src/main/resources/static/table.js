/**
 * Shows how many connections each client has to each server, and lights up the row of one client.
 */
export function fillTable(table, clients, servers, lit) {
  const [head, body] = [table.tHead, table.tBodies[0]];
  fill(head, [['Client', ...servers.map(({ name }) => name), 'All']], 'th');
  fill(body, clients.map((client) => {
    const counts = servers.map(({ slots }) => slots.filter((other) => other === client).length);
    return [client, ...counts, counts.reduce((sum, count) => sum + count, 0)];
  }), 'td');
  clients.forEach((client, index) => body.rows[index].classList.toggle('mine', client === lit));
}

/** Changes only what differs, so that those who read the table keep their place in it. */
function fill(section, rows, tag) {
  rows.forEach((values, index) => {
    const row = section.rows[index] ?? section.insertRow();
    values.forEach((value, column) => {
      const cell = row.cells[column] ?? row.appendChild(
        (column === 0) ? create('th', (tag === 'th') ? 'col' : 'row') : create(tag, 'col'));
      if (cell.textContent !== String(value)) {
        cell.textContent = value;
      }
    });
    while (row.cells.length > values.length) {
      row.lastElementChild.remove();
    }
  });
  while (section.rows.length > rows.length) {
    section.lastElementChild.remove();
  }
}

function create(tag, scope) {
  const cell = document.createElement(tag);
  if (tag === 'th') {
    cell.scope = scope;
  }
  return cell;
}
