'use strict';
// What the page does beyond standing there: epochs to move through, layers to follow, numbers under the
// pointer, a theme, sorting and copying. Everything here can be missing: without it the page shows the
// last epoch, and its tables the others. Names come from strangers: they are only ever set as text.
(() => {
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const one = (selector, within = document) => within.querySelector(selector);
  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const drawn = (name, attributes, text) => {
    const made = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  root.classList.add('script');
  // Set where there are several epochs: the column and the text of a cell, and the way to an epoch.
  let columnAt = () => -1;
  let cellAt = () => null;
  let go = () => {};
  for (const control of all('[data-script]')) control.hidden = false;

  // A number with separators between the thousands of its whole part.
  const grouped = value =>
    String(value).replace(/\d+/, whole => whole.replace(/\B(?=(\d{3})+$)/g, ','));

  // A number as the rest of the page writes it: so many significant digits, exponents where they help.
  const number = (value, digits = 3) => {
    if (value === null || value === undefined) return '–';
    if (typeof value === 'string') return { Infinity: 'inf', '-Infinity': '-inf' }[value] ?? value;
    if (value === 0) return '0';
    const scientific = value.toExponential(digits - 1);
    const rounded = Math.abs(Number(scientific));
    if (rounded >= 1e-3 && rounded < 1e5) return grouped(Number(scientific));
    const [mantissa, exponent] = scientific.split('e');
    return `${Number(mantissa)}e${Number(exponent)}`;
  };

  // ── Theme ────────────────────────────────────────────────────────────────────────────────────────────
  const themes = { system: '◐', light: '○', dark: '●' };
  const remembered = {
    get: () => { try { return localStorage.getItem('gradscope-theme'); } catch { return null; } },
    set: value => { try { localStorage.setItem('gradscope-theme', value); } catch { /* from a file, maybe */ } },
  };
  const theme = one('#theme');
  const setTheme = name => {
    const shown = name in themes ? name : 'system';
    if (shown === 'system') delete root.dataset.theme;
    else root.dataset.theme = shown;
    theme.replaceChildren(element('span', { ariaHidden: 'true' }, themes[shown]), ` Theme: ${shown}`);
    theme.value = shown;
  };
  setTheme(remembered.get() ?? 'system');
  theme.addEventListener('click', () => {
    const names = Object.keys(themes);
    const next = names[(names.indexOf(theme.value) + 1) % names.length];
    setTheme(next);
    remembered.set(next);
  });

  // ── Copying ──────────────────────────────────────────────────────────────────────────────────────────
  const said = one('#said');
  const copy = async text => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = element('textarea', { value: text, readOnly: true, className: 'away' });
      document.body.append(area);
      area.select();
      document.execCommand('copy');
      area.remove();
    }
  };
  for (const code of all('pre > code, .remedies code')) {
    const text = code.textContent;
    const button = element('button', { type: 'button', className: 'copy' }, 'Copy');
    button.setAttribute('aria-label', `Copy ${text.length > 80 ? `${text.slice(0, 80)}…` : text}`);
    button.addEventListener('click', async () => {
      await copy(text);
      button.textContent = 'Copied';
      said.textContent = 'Copied';
      setTimeout(() => { button.textContent = 'Copy'; said.textContent = ''; }, 1500);
    });
    if (code.parentElement.localName === 'pre') {
      const held = element('div', { className: 'held' });
      code.parentElement.replaceWith(held);
      held.append(code.parentElement, button);
    } else {
      code.after(' ', button);
    }
  }

  // ── Sorting ──────────────────────────────────────────────────────────────────────────────────────────
  // Numbers by value, with those that are none at the end either way; words as words.
  const key = cell => {
    const text = cell.textContent.trim();
    const value = parseFloat(text.replace(/,/g, '').replace(/^(-?)inf$/, '$1Infinity'));
    return { text, value, missing: text === '–' || text === '-' || text === '' || text === 'NaN' };
  };
  const sorted = (table, column, direction) => {
    const rows = [...table.tBodies[0].rows].map(row => ({ row, ...key(row.cells[column]) }));
    const numeric = rows.every(r => r.missing || !Number.isNaN(r.value));
    rows.sort((a, b) => a.missing - b.missing || direction * (numeric
      ? (a.value > b.value) - (a.value < b.value)
      : a.text.localeCompare(b.text, undefined, { numeric: true })));
    table.tBodies[0].append(...rows.map(r => r.row));
  };
  const sortable = table => {
    if (table.dataset.sortable || !table.tHead || !table.tBodies[0] || table.tBodies[0].rows.length < 2) return;
    table.dataset.sortable = 'yes';
    const original = [...table.tBodies[0].rows];
    for (const [column, head] of [...table.tHead.rows[0].cells].entries()) {
      const button = element('button', { type: 'button', className: 'sort' }, ...head.childNodes);
      head.append(button);
      button.addEventListener('click', () => {
        const next = { ascending: 'descending', descending: null }[head.getAttribute('aria-sort')];
        const order = next === undefined ? 'ascending' : next;
        for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
        if (order) {
          head.setAttribute('aria-sort', order);
          sorted(table, column, order === 'ascending' ? 1 : -1);
        } else {
          table.tBodies[0].append(...original);
        }
      });
    }
  };
  // Folded tables are many, and most are never opened.
  for (const table of all('table')) if (!table.closest('details')) sortable(table);
  document.addEventListener('toggle', event => {
    if (event.target.open) for (const table of all('table', event.target)) sortable(table);
  }, true);

  // ── Printing ─────────────────────────────────────────────────────────────────────────────────────────
  let unfolded = [];
  addEventListener('beforeprint', () => {
    unfolded = all('details:not([open])');
    for (const details of unfolded) details.open = true;
  });
  addEventListener('afterprint', () => { for (const details of unfolded) details.open = false; });

  // ── Pictures: numbers for the pointer and the keyboard ───────────────────────────────────────────────
  const tip = element('div', { className: 'tip', hidden: true, ariaHidden: 'true' });
  document.body.append(tip);
  const showTip = (text, x, y) => {
    tip.textContent = text;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = Math.min(x + 14, innerWidth - box.width - 8);
    const top = y + 18 + box.height > innerHeight ? y - box.height - 12 : y + 18;
    tip.style.transform = `translate(${Math.max(8, left)}px, ${Math.max(8, top)}px)`;
  };
  const hideTip = () => { tip.hidden = true; };
  const beside = node => {
    const box = node.getBoundingClientRect();
    const y = Math.min(Math.max(box.top + Math.min(box.height, 60) / 2, 0), innerHeight - 40);
    return [box.left + box.width / 2, y];
  };

  // A picture is one stop of the tab key; arrows go from part to part.
  const told = new WeakMap();
  const tell = (part, text) => {
    told.set(part, text);
    part.setAttribute('aria-label', text);
  };
  for (const picture of all('svg.gs')) {
    const parts = all('g', picture).filter(g => g.firstElementChild?.localName === 'title');
    if (!parts.length) continue;
    picture.setAttribute('role', 'group');
    for (const [i, part] of parts.entries()) {
      tell(part, part.firstElementChild.textContent);
      // The page's own tip says it already.
      part.firstElementChild.remove();
      part.setAttribute('role', 'img');
      part.setAttribute('tabindex', i ? '-1' : '0');
    }
    picture.addEventListener('keydown', event => {
      const at = parts.indexOf(event.target);
      const heat = picture.closest('#over-time');
      const step = { ArrowDown: 1, ArrowUp: -1, ...(heat ? {} : { ArrowRight: 1, ArrowLeft: -1 }) }[event.key];
      const next = { Home: parts[0], End: parts.at(-1) }[event.key] ?? (step && parts[at + step]);
      if (at < 0 || !(next || step)) return;
      event.preventDefault();
      event.stopPropagation();
      if (!next) return;
      parts[at].setAttribute('tabindex', '-1');
      next.setAttribute('tabindex', '0');
      next.focus();
    });
  }

  // ── One layer, everywhere ────────────────────────────────────────────────────────────────────────────
  const layers = new Map();
  for (const part of all('[data-layer]')) {
    const name = part.dataset.layer;
    layers.set(name, [...(layers.get(name) ?? []), part]);
  }
  let pinned = null;
  let lit = null;
  const light = name => {
    const shown = name ?? pinned;
    if (shown === lit) return;
    for (const part of layers.get(lit) ?? []) part.classList.remove('lit');
    for (const part of layers.get(shown) ?? []) part.classList.add('lit');
    lit = shown;
  };
  const pin = name => {
    pinned = pinned === name ? null : name;
    for (const button of all('.pin')) {
      button.setAttribute('aria-pressed', String(button.closest('[data-layer]').dataset.layer === pinned));
    }
    light(null);
  };
  for (const row of all('tr[data-layer]')) {
    const head = row.cells[0];
    const button = element('button', { type: 'button', className: 'pin' }, ...head.childNodes);
    button.setAttribute('aria-pressed', 'false');
    button.title = 'Highlight this layer everywhere';
    button.addEventListener('click', () => pin(row.dataset.layer));
    head.append(button);
  }
  const layerOf = target => target.closest?.('[data-layer]')?.dataset.layer ?? null;
  const partOf = target => {
    for (let part = target.closest?.('g'); part; part = part.parentElement.closest('g')) {
      if (told.has(part)) return part;
    }
    return null;
  };
  document.addEventListener('pointermove', event => {
    light(layerOf(event.target));
    const text = cellAt(event.target) ?? told.get(partOf(event.target));
    if (text) showTip(text, event.clientX, event.clientY);
    else hideTip();
  });
  document.addEventListener('pointerleave', () => { hideTip(); light(null); });
  document.addEventListener('focusin', event => {
    light(layerOf(event.target));
    const part = partOf(event.target);
    if (part) showTip(told.get(part), ...beside(part));
    else hideTip();
  });
  document.addEventListener('click', event => {
    const part = partOf(event.target);
    if (part?.dataset.layer === undefined || !part) return;
    const column = columnAt(event.target);
    if (column >= 0) go(column);
    else pin(part.dataset.layer);
  });
  document.addEventListener('keydown', event => {
    if (event.key === 'Escape') {
      hideTip();
      if (pinned !== null) pin(pinned);
    } else if ((event.key === 'Enter' || event.key === ' ') && told.has(event.target)
      && event.target.dataset.layer !== undefined) {
      event.preventDefault();
      pin(event.target.dataset.layer);
    }
  });

  // ── Two views of one thing ───────────────────────────────────────────────────────────────────────────
  for (const views of all('.views')) {
    const buttons = all('button', views);
    const choose = chosen => {
      for (const button of buttons) {
        button.setAttribute('aria-pressed', String(button === chosen));
        one(`#${button.value}`)?.classList.toggle('off', button !== chosen);
      }
    };
    for (const button of buttons) button.addEventListener('click', () => choose(button));
    choose(buttons[0]);
  }

  // ── Over the epochs ──────────────────────────────────────────────────────────────────────────────────
  const holder = one('#moments');
  const data = holder ? JSON.parse(holder.textContent) : null;
  if (!data) return;
  const { epochs, layers: rows, quantities, pictures } = data;
  const last = epochs.length - 1;
  let now = last;

  // From 0 to 1 on a quantity's axis; null for what has no place.
  const place = (quantity, value) => {
    if (value === 'Infinity') return 1;
    if (typeof value !== 'number' || value < 0) return null;
    if (!quantity.log) return Math.min(value, 1);
    const share = (Math.log10(value) - quantity.low) / (quantity.high - quantity.low);
    return value === 0 ? 0 : Math.min(Math.max(share, 0), 1);
  };

  // Violins: the same shapes as in the picture, from places in it.
  const width = letter => 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.indexOf(letter) / 63;
  const moving = Object.entries(pictures).flatMap(([name, motion]) => {
    const figure = document.getElementById(name);
    const svg = figure && one('svg', figure);
    if (!svg) return [];
    const groups = new Map(all('.gs-layer', svg).map(g => [Number(g.dataset.layer), g]));
    return [{ motion, svg, groups, axis: one('.gs-axis', svg), shown: motion.frames.length - 1, words: [
      ...all('.gs-title text', svg), ...all('title, desc', svg), ...all('figcaption strong bdi', figure),
    ] }];
  });
  const inks = {
    text: '#1a1d21', muted: '#59626e', grid: '#dfe3e8', line: '#3566b0', fill: '#d9e3f2',
    alarm: '#b3322b', 'alarm-fill': '#f6e2e0', paper: '#ffffff',
  };
  const stroke = (ink, thickness) => ({
    class: `s-${ink}`, fill: 'none', stroke: inks[ink], 'stroke-width': thickness,
  });
  const filled = (fill, ink) => ({
    class: `f-${fill} s-${ink}`, fill: inks[fill], stroke: inks[ink], 'stroke-width': 1.3,
    'stroke-linejoin': 'round',
  });
  const violin = (motion, middle, moved, flagged) => {
    const { upright, half } = motion;
    const point = (value, across) => upright
      ? `${(middle + across).toFixed(1)} ${value.toFixed(1)}` : `${value.toFixed(1)} ${(middle + across).toFixed(1)}`;
    const parts = [];
    const line = flagged ? 'alarm' : 'line';
    if (moved.body) {
      const [from, to, letters] = moved.body;
      const side = sign => [...letters].map((letter, i) =>
        point(from + (to - from) * i / (letters.length - 1), sign * half * width(letter)));
      const outline = [...side(-1), ...side(1).reverse()].join('L');
      parts.push(drawn('path', { d: `M${outline}z`, ...filled(flagged ? 'alarm-fill' : 'fill', line) }));
    }
    if (moved.range) {
      const [low, high] = moved.range;
      parts.push(drawn('path', { d: `M${point(low, 0)}L${point(high, 0)}`, ...stroke(line, 1.3) }));
    }
    if (moved.tick !== undefined) {
      const d = `M${point(moved.tick, -0.8 * half)}L${point(moved.tick, 0.8 * half)}`;
      parts.push(drawn('path', { d, ...stroke(line, 2.6) }));
    }
    if (moved.middle) {
      const [low, dot, high] = moved.middle;
      parts.push(drawn('path', { d: `M${point(low, 0)}L${point(high, 0)}`, ...stroke('text', upright ? 3.4 : 3) }));
      const [cx, cy] = point(dot, 0).split(' ');
      parts.push(drawn('circle', { cx, cy, r: upright ? 3.2 : 2.7, ...filled('paper', 'text') }));
    }
    const written = (x, y, ink, anchor, text, small = true) => parts.push(drawn('text', {
      x, y, dy: '.35em', 'text-anchor': anchor, 'font-size': small ? 11.5 : 13,
      class: `f-${ink}${small ? ' gs-small' : ''}`, fill: inks[ink],
    }, text));
    if (moved.cross) {
      const [value, alarm] = moved.cross;
      const [x, y] = point(value, 0).split(' ');
      written(x, y, alarm ? 'alarm' : 'muted', 'middle', '✕', false);
    }
    for (const [i, [text, alarm]] of (moved.notes ?? []).entries()) {
      const [x, y] = upright ? [middle, motion.notes + 19 * i] : [motion.notes, middle];
      written(x, y, alarm ? 'alarm' : 'muted', upright ? 'middle' : 'start', text);
    }
    return parts;
  };
  const axis = (motion, places) => {
    const [from, to] = motion.grid;
    const parts = [];
    let free = Infinity;
    const labels = [];
    for (const [at, label, ink] of places) {
      const d = motion.upright ? `M${from} ${at}L${to} ${at}` : `M${at} ${from}L${at} ${to}`;
      const attributes = stroke(ink === 'lane' ? 'muted' : ink, 1);
      if (ink === 'lane') attributes['stroke-dasharray'] = '2 4';
      parts.push(drawn('path', { d, ...attributes }));
      if (motion.upright && at + 11 <= free) {
        labels.push([from - 7, at, 'end', label]);
        free = at - 11;
      } else if (!motion.upright) {
        const half = label.length * 6 + 8;
        if (free === Infinity || at - half >= free) {
          labels.push([at, from - 11, 'middle', label], [at, to + 11, 'middle', label]);
          free = at + half;
        }
      }
    }
    parts.push(...labels.map(([x, y, anchor, text]) => drawn('text', {
      x, y, dy: '.35em', 'text-anchor': anchor, 'font-size': 13, class: 'f-muted', fill: inks.muted,
    }, text)));
    return parts;
  };
  const name = layer => rows.find(row => row.layer === layer)?.name ?? `layer ${layer + 1}`;
  const moveViolins = () => {
    for (const picture of moving) {
      const { motion, groups, shown } = picture;
      const frame = motion.frames[now];
      if (!frame || shown === now) continue;
      if (motion.frames[shown].axis !== frame.axis) {
        picture.axis.replaceChildren(...axis(motion, motion.axes[frame.axis]));
      }
      for (const [i, [layer, middle]] of motion.slots.entries()) {
        const group = groups.get(layer);
        const flagged = rows.find(row => row.layer === layer)?.flagged;
        one('.gs-move', group).replaceChildren(...violin(motion, middle, frame.violins[i], flagged));
        tell(group, `${name(layer)}: ${frame.violins[i].words}`);
      }
      for (const words of picture.words) {
        words.textContent = words.textContent.replace(/epoch [\d,]+/, `epoch ${grouped(epochs[now])}`);
      }
      picture.shown = now;
    }
  };

  // The depth profile.
  const byKey = new Map(quantities.map(quantity => [quantity.key, quantity]));
  const cells = all('td[data-quantity]').map(cell => ({
    cell, quantity: byKey.get(cell.dataset.quantity),
    row: rows.findIndex(row => String(row.layer) === cell.parentElement.dataset.layer),
  })).filter(({ quantity, row }) => quantity && row >= 0);
  const moveProfile = () => {
    for (const { cell, quantity, row } of cells) {
      const value = quantity.values[row][now];
      const text = one('.n', cell) ?? cell;
      const units = rows[row].units;
      text.textContent = quantity.key === 'dead' && typeof value === 'number'
        ? `${grouped(Math.round(value * units))} of ${grouped(units)}` : number(value);
      text.title = typeof value === 'number' ? String(value) : '';
      const bar = one('.value', cell);
      bar?.setAttribute('width', `${Math.round((place(quantity, value) ?? 0) * 1000) / 10}%`);
    }
    for (const words of all('.as-of')) words.textContent = grouped(epochs[now]);
  };

  // The heat map.
  const heat = one('#over-time svg');
  const choice = one('#quantity');
  const heatRows = heat ? all('.gs-layer', heat).map(group => ({
    group, cells: all('.gs-cells rect', group), odd: one('.gs-odd', group), layer: Number(group.dataset.layer),
  })) : [];
  const mark = heat && drawn('rect', { class: 'gs-now s-text', fill: 'none', 'stroke-width': 1.6, stroke: inks.text });
  heat?.append(mark);
  const chosen = () => byKey.get(choice?.value) ?? quantities[0];
  columnAt = target => {
    const cell = target.closest?.('.gs-cells rect');
    return cell && heat?.contains(cell) ? [...cell.parentElement.children].indexOf(cell) : -1;
  };
  const said1 = (row, column) => {
    const value = chosen().values[row][column];
    return `${rows[row].name}, epoch ${grouped(epochs[column])}: ${chosen().name} ${number(value, 6)}`;
  };
  cellAt = target => {
    const column = columnAt(target);
    if (column < 0) return null;
    return said1(heatRows.findIndex(row => row.group.contains(target)), column);
  };
  const box = cell => ['x', 'y', 'width', 'height'].map(side => Number(cell.getAttribute(side)));
  const paint = () => {
    const quantity = chosen();
    for (const [i, { cells: shades, odd }] of heatRows.entries()) {
      let crosses = '';
      const size = Number(odd.dataset.size);
      for (const [j, cell] of shades.entries()) {
        const value = quantity.values[i][j];
        const at = place(quantity, value);
        cell.setAttribute('fill-opacity', at === null ? 0 : (0.08 + 0.92 * at).toFixed(2));
        if (at !== null || value === null) continue;
        const [x, y, w, h] = box(cell);
        crosses += `M${x + w / 2 - size} ${y + h / 2 - size}l${2 * size} ${2 * size}m0 ${-2 * size}l${-2 * size} ${2 * size}`;
      }
      odd.setAttribute('d', crosses);
    }
    const ends = [quantity.low, quantity.high].map(end => number(quantity.log ? 10 ** end : end));
    for (const [i, text] of all('.gs-legend text', heat).entries()) text.textContent = ends[i];
    one('.gs-title text', heat).textContent = quantity.name;
    const caption = one('#over-time figcaption').lastChild;
    caption.textContent = caption.textContent.replace(/the larger the .*?, which is .*?\.(?= |$)/s,
      `the larger the ${quantity.name}, which is ${quantity.meaning}.`);
  };
  const moveHeat = () => {
    if (!heatRows.length) return;
    for (const [i, { group }] of heatRows.entries()) tell(group, said1(i, now));
    const [x, y, w] = box(heatRows[0].cells[now]);
    const [, bottom, , h] = box(heatRows.at(-1).cells[now]);
    for (const [side, value] of Object.entries({ x: x - 1, y: y - 2, width: w + 2, height: bottom + h - y + 4 })) {
      mark.setAttribute(side, value);
    }
  };
  choice?.addEventListener('change', () => { paint(); moveHeat(); });

  // The slider, the arrows, the play button.
  const slider = one('#epoch');
  const output = one('.moves output');
  const play = one('.play');
  let timer = 0;
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    play.replaceChildren(element('span', { ariaHidden: 'true' }, '▶'), ' Play');
  };
  go = to => {
    now = Math.min(Math.max(to, 0), last);
    slider.value = now;
    slider.setAttribute('aria-valuetext', `epoch ${grouped(epochs[now])}`);
    output.textContent = `epoch ${grouped(epochs[now])}`;
    moveViolins();
    moveProfile();
    moveHeat();
    const part = document.activeElement;
    if (told.has(part) && !tip.hidden) showTip(told.get(part), ...beside(part));
  };
  slider.addEventListener('input', () => { stop(); go(Number(slider.value)); });
  play.addEventListener('click', () => {
    if (timer) {
      stop();
      return;
    }
    if (now === last) go(0);
    play.replaceChildren(element('span', { ariaHidden: 'true' }, '❚❚'), ' Pause');
    timer = setInterval(() => {
      go(now + 1);
      if (now === last) stop();
    }, Math.max(120, Math.min(600, 6000 / epochs.length)));
  });
  document.addEventListener('keydown', event => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const busy = event.target.closest?.('input, select, textarea, .scroll, pre');
    if (!step || busy || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    stop();
    go(now + step);
  });
  go(last);
})();
